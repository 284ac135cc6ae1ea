#!/bin/sh
# A rolling restart, for pods that take the key from an environment variable. Whatever copies the secret into the cluster
# (External Secrets, for instance) has to have done so: wait for its refresh interval.
#   [[hooks]]
#   on = ["promoted"]
#   command = ["/etc/rotator/hooks/kubernetes.sh", "default", "deployment/uploader", "90"]
set -eu
sleep "$3"
kubectl --namespace "$1" rollout restart "$2"
