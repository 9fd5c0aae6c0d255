"""The inspector: the one place where hostile content is read. Bytes come in, facts go out.

`python -m filterd.inspection` is the *nursery*: a process of its own with one thread, which loads rules, model and
every module an inspector may need, and forks *inspectors*. An inspector locks itself in (`sandbox`), then reads one
message after the other (`child`): no network, no files, no exec, bounded memory, killed at its deadline. It is told of
a message by one frame and one descriptor, and answers with one frame of facts; it never decides, and never sees the
network's answers. Nothing on the front's side imports this package.
"""
