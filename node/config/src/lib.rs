//! The node's configuration: typed, defaulted, validated.
