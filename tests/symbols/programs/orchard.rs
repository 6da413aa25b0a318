// Aborts below generic and inlined functions, in names of every shape that rustc mangles.
mod orchard {
    pub trait Grow {
        fn grow(&self, years: u32) -> u32;
    }
    pub struct Tree<const ROWS: usize> {
        pub fruit: Vec<u32>,
    }
    impl<const ROWS: usize> Grow for Tree<ROWS> {
        #[inline(never)]
        fn grow(&self, years: u32) -> u32 {
            pick(&self.fruit, years as usize + ROWS)
        }
    }
    #[inline(always)]
    fn pick(fruit: &[u32], index: usize) -> u32 {
        if index >= fruit.len() {
            fell(index);
        }
        fruit[index]
    }
    #[inline(never)]
    fn fell(index: usize) {
        eprintln!("no fruit {index}");
        unsafe { *(index as *mut u32) = 0 };
    }
}

#[inline(never)]
fn tend<T: orchard::Grow + ?Sized>(tree: &T, f: &dyn Fn(u32) -> u32) -> u32 {
    f(tree.grow(2))
}

fn main() {
    let tree = orchard::Tree::<4> { fruit: vec![1, 2, 3] };
    let first = tree.fruit[0];
    println!("{}", tend(&tree, &|years| years + first));
}
