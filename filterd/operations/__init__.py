"""What the commands do, without their faces: each is a function from live parts and arguments to values."""
