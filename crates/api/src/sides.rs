//! Sides of a merge between wire and domain.
