//! Every screen and every control, found by its accessible name: what is tested here can be reached by everybody.

mod access;
mod bench;
mod call;
mod check;
mod devices;
mod home;
mod keyboard;
mod layout;
mod never_waits;
mod rooms;
mod scenes;
mod settings;
mod sound;
mod statistics;
