// Threads that share a counter under a lock and send to a channel.
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() {
    let sum = Arc::new(Mutex::new(0u64));
    let (sender, receiver) = mpsc::channel();
    let mut threads = vec![];
    for i in 0..4u64 {
        let (sum, sender) = (sum.clone(), sender.clone());
        threads.push(thread::spawn(move || {
            for j in 0..1000 {
                *sum.lock().unwrap() += i * j;
                if j % 100 == 0 {
                    sender.send(i).unwrap();
                }
            }
        }));
    }
    drop(sender);
    let received: u64 = receiver.iter().sum();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{} {}", *sum.lock().unwrap(), received);
}
