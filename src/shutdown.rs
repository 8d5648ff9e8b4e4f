//! One signal that everything listens to.
