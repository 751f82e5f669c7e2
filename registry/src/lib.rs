//! Flatland's keys in etcd, and the code that reads and writes them.
