"""Images in, frozen detections out: one owner per device."""
