"""The driver of the conformance suite: test/conformance/PROTOCOL.md says what it reads and writes."""
