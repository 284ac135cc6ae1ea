"""AWS over boto3. Every AWS client of this program is made here, and no other part knows which call moves a label.

session              region, role, credentials, identity, and the clients
client               how a client behaves, and which endpoint it may be told to use
credential_process   the program that gives credentials, for a bounded time
store                versions and staging labels: the `SecretStore` of the real world
examination          what only `doctor` asks of it
kms                  signatures by a key that never leaves KMS
answers              what Secrets Manager answers, as values of ours
guard                calls, of which whatever comes out is an error of ours
faults               what a failed call means
causes               what is wrong with settings, credentials or the network
denials              which policy denied a call
"""
