"""AWS over boto3. Every AWS client of this program is made here, and no other part knows which call moves a label.

session    region, role, credentials, identity, and the clients
client     how a client behaves, and which endpoint it may be told to use
store      versions and staging labels: the `SecretStore` of the real world
answers    what Secrets Manager answers, as values of ours
faults     what AWS and botocore can raise, as our own errors
"""
