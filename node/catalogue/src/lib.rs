//! Every cause of a failure that a user can meet, once, with its code.
