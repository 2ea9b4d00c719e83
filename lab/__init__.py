"""The lab: a real fleet on one machine, without containers.

It runs the hub and its spokes as host processes on the loopback interface: etcd and
kube-apiserver per cluster, Argo CD's controllers, External Secrets, OpenBao, redis and a git
forge. It is the ground of the e2e tests and of ``make lab``; the Pulumi program never imports it.
"""
