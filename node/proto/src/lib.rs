//! gRPC messages between nodes and from the operator to a node.
