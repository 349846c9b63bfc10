//! Partition databases: schema, fence, sealed rows, repartition steps.
