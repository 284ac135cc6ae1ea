"""AWS for a deployed stack, on one port: the strict Secrets Manager, moto for the rest, and Lambda that runs.

- `runtime_api`: Lambda's Runtime API, as one execution environment sees it
- `environments`: processes that run a function's code, one per concurrent call, kept warm
- `functions`: every deployed function, and moto's Invoke led to it
- `poller`: event source mappings of SQS queues
- `rights`: what roles and function policies allow
- `witness`: stands before the server; knows who asked for what, and refuses what the role does not allow
- `server`: all of it together
"""
