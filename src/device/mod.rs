//! Devices: what carries frames between stacks and to Linux.
