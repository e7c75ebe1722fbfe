"""A plugin of buf that generates Python by grpcio-tools, whose generators are no plugins of their own.

Gives messages (`_pb2.py`, `_pb2.pyi`) and, for files with services, stubs (`_pb2_grpc.py`, `_pb2_grpc.pyi`). The option
`strip=PATH` leaves PATH out of the names, so that the directory buf writes to holds generated code only.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet

FEATURES = CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL


def main() -> None:
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    options = dict(option.split("=", 1) for option in request.parameter.split(",") if option)
    strip = options["strip"].rstrip("/") + "/"
    response = CodeGeneratorResponse(supported_features=FEATURES)
    response.file.add(name="__init__.py", content='"""Generated from the protos."""\n')
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        descriptors = scratch / "descriptors.binpb"
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out = scratch / "out"
        out.mkdir()
        arguments = [f"--python_out={out}", f"--pyi_out={out}"]
        files = [file for file in request.proto_file if file.name in set(request.file_to_generate)]
        run([f"--descriptor_set_in={descriptors}", *arguments, *request.file_to_generate])
        serving = [file.name for file in files if file.service]
        if serving:
            typed = Path(sys.executable).with_name("protoc-gen-mypy_grpc")
            arguments = [f"--grpc_python_out={out}", f"--plugin={typed}", f"--mypy_grpc_out=quiet:{out}"]
            run([f"--descriptor_set_in={descriptors}", *arguments, *serving])
        for path in sorted(path for path in out.rglob("*") if path.is_file()):
            name = path.relative_to(out).as_posix().removeprefix(strip)
            response.file.add(name=name, content=path.read_text(encoding="utf-8"))
    sys.stdout.buffer.write(response.SerializeToString())


def run(arguments: list[str]) -> None:
    """In a process of its own: protoc writes to standard output, which is the answer's."""
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


main()
