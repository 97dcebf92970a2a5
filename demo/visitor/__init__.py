"""One visitor: pictures in, detection, exports."""
