//! The examples run, each to its end.
#![allow(clippy::print_stdout, unreachable_pub, reason = "they are programs")]

#[path = "../../examples/compress.rs"]
mod compress;
#[path = "../../examples/map_a_file.rs"]
mod map_a_file;
#[path = "../../examples/npz.rs"]
mod npz;
#[path = "../../examples/save_and_load.rs"]
mod save_and_load;
#[path = "../../examples/send_over_tcp.rs"]
mod send_over_tcp;

#[test]
fn every_example_runs() {
    compress::main().unwrap();
    map_a_file::main().unwrap();
    npz::main().unwrap();
    save_and_load::main().unwrap();
    send_over_tcp::main().unwrap();
}
