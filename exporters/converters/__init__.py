"""What runs in a toolchain's interpreter: one program a converter.

    python -m edgestill.exporters.converters.openvino FOLDER

FOLDER holds ``request.json``; the program writes its files where that says, then ``answer.json``.
It imports the toolchain's packages, numpy and nothing of ours but this folder and ``errors``.
"""
