//! End-to-end tests: real processes, real databases, a real Kubernetes.
