//! What disturbs everybody, one by one.

mod drain;
mod operator;
mod second_installation;
