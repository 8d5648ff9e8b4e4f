//! The only user of ring and hpke.
