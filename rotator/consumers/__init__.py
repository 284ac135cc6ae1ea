"""The consumers that entries name, asked whether they have the current key: the `Consumers` of the real world.

    roster     each kind of consumer to whoever asks it, and what cannot be asked
    services   ECS: the tasks of a service, and a new deployment of it
    functions  Lambda: the version that runs, and when it was changed
    endpoints  HTTP: a service that says which key it holds

Nothing here decides about keys. An answer that is not understood, and none at all, count as behind.
"""
