//! Pure planning: from what is observed of a TimCluster to what has to be done.
