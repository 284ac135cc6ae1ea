"""A simulated Secrets Manager, as strict as AWS documents it.

rules, state                         versions, labels and limits, pure: time is an argument
api, call, store, answers, rotation  the operations of the service over them
policies                             resource policies, kept and not obeyed
faults, gate                         what goes wrong, and when
server, under_moto                   on a loopback port, and under boto3 in the same process
"""
