//! lib of the contract
