// Rust programs that end badly; the first argument says how.
use std::cell::RefCell;
use std::collections::HashMap;

fn index(numbers: &[u32], at: usize) -> u32 {
    numbers[at] // at: index
}

fn unwrap(word: Option<&str>) -> usize {
    word.unwrap().len() // at: unwrap
}

fn borrowed() {
    let cell = RefCell::new(1);
    let _one = cell.borrow_mut();
    let _two = cell.borrow_mut(); // at: borrowed
}

fn no_file() {
    std::fs::read("/no/such/settings.toml").expect("reading the settings"); // at: no_file
}

fn null_read() {
    let at = std::hint::black_box(std::ptr::null::<u64>());
    std::hint::black_box(unsafe { at.read_volatile() }); // at: null_read
}

#[inline(never)]
fn deeper(depth: u64) -> u64 { // at: recursion
    let room = std::hint::black_box([depth; 50]); // at: recursion
    deeper(depth + 1) + room[(depth % 50) as usize] // at: recursion
}

fn main() {
    let case = std::env::args().nth(1).unwrap();
    match case.as_str() {
        "index" => println!("{}", index(&[1, 2], std::hint::black_box(5))),
        "unwrap" => println!("{}", unwrap(HashMap::<&str, &str>::new().get("key").copied())),
        "borrowed" => borrowed(),
        "no_file" => no_file(),
        "null_read" => null_read(),
        "recursion" => println!("{}", deeper(0)),
        "leaves" => std::process::exit(3), // at: leaves
        _ => (),
    }
}
