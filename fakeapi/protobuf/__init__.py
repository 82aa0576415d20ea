"""Built-in kinds in protobuf, to and from the JSON form that everything else works on.

Stands for apimachinery's runtime/serializer/protobuf and the generated Marshal and Unmarshal methods. Both directions
are one walk, led by the table of message fields in schema/protofields.txt: generated classes for 600 messages would
cost seconds of import.
"""
