"""The Deployment controller: sets.py (sets, revisions, bounds), rollout.py (the plan), status.py, controller.py."""
