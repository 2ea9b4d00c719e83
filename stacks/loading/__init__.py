"""From a stack file and a kubeconfig to a `Fleet`, with every mistake told in the reader's words."""
