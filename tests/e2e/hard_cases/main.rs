//! What goes wrong in practice: calls that overlap, that fail, that are cut short, that meet what is
//! not theirs, on nodes without this or that.

mod collected;
mod cut_short;
mod failed_add;
mod lacking;
mod names;
mod overlapping;
mod removed;
mod second_add;
mod storm;
mod strangers;
mod support;
mod taken_back;
