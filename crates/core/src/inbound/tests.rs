//! By its own word, and by what we sent.
