//! The two resources of timcluster.io as Rust types, and their generated YAML.
