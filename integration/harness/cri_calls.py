"""A program that makes calls of the Container Runtime Interface: `cri_calls.py SOCKET DESCRIPTORS`, with what protoc made of
cri.proto. Each line on stdin is a call, ["METHOD", {request}]; each line on stdout its outcome, [answer, null] or
[null, "error"]. In a process of its own, because gRPC has threads, and because the engine is in namespaces of its own."""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def main(socket, descriptors):
    pool = descriptor_pool.DescriptorPool()
    with open(descriptors, "rb") as file:
        for described in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
            pool.Add(described)
    methods = {method.name: method for service in ("RuntimeService", "ImageService")
               for method in pool.FindServiceByName(f"runtime.v1.{service}").methods}
    factory = message_factory.MessageFactory(pool)
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        for line in sys.stdin:
            name, fields = json.loads(line)
            method = methods[name]
            request = json_format.ParseDict(fields, factory.GetPrototype(method.input_type)())
            call = channel.unary_unary(f"/{method.containing_service.full_name}/{name}", type(request).SerializeToString,
                                       factory.GetPrototype(method.output_type).FromString)
            try:
                answer = json_format.MessageToDict(call(request, timeout=60, wait_for_ready=True), True, True)
                outcome = [answer, None]
            except grpc.RpcError as error:
                outcome = [None, error.details()]
            print(json.dumps(outcome), flush=True)


main(*sys.argv[1:])
