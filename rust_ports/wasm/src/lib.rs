//! The functions that JavaScript calls. Numbers and texts lie in the module's memory: the
//! caller asks for room, writes there, and is told where an answer is.

use std::cell::RefCell;
use std::path::Path;

use encoders::files::{put, take};
use encoders_page::{Session, widen, wrong};

thread_local! {
    static SESSION: RefCell<Session> = RefCell::default();
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Room for so many bytes, which the caller fills and hands back.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    Box::leak(vec![0; bytes].into_boxed_slice()).as_mut_ptr()
}

/// Takes a file, whose name and content lie in room that was asked for. Weights in eight bits
/// are widened.
///
/// # Safety
/// Both come from [`room`], with its lengths, and are not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn file(
    name: *mut u8,
    name_bytes: usize,
    content: *mut u8,
    content_bytes: usize,
) -> *const u8 {
    // SAFETY: as the caller promises.
    let (name, content) = unsafe { (filled(name, name_bytes), filled(content, content_bytes)) };
    let name = String::from_utf8_lossy(&name).into_owned();
    answer(match name.strip_suffix(".int8") {
        None => {
            put(Path::new(&name), content);
            "{}".into()
        }
        Some(wide) => match widen(&content) {
            Ok(content) => {
                put(Path::new(wide), content);
                "{}".into()
            }
            Err(error) => wrong(&error),
        },
    })
}

/// Takes a file away again, once a model is made of it.
///
/// # Safety
/// The name comes from [`room`], with its length, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forget_file(name: *mut u8, name_bytes: usize) {
    // SAFETY: as the caller promises.
    let name = unsafe { filled(name, name_bytes) };
    take(Path::new(&*String::from_utf8_lossy(&name)));
}

/// The answer to a question, both in JSON. Before the answer's bytes stand four that say how
/// many there are; they hold until the next call.
///
/// # Safety
/// The question comes from [`room`], with its length, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ask(question: *mut u8, bytes: usize) -> *const u8 {
    // SAFETY: as the caller promises.
    let question = unsafe { filled(question, bytes) };
    let question = String::from_utf8_lossy(&question);
    answer(SESSION.with_borrow_mut(|session| session.answer(&question)))
}

fn answer(text: String) -> *const u8 {
    ANSWER.with_borrow_mut(|answer| {
        answer.clear();
        answer.extend((text.len() as u32).to_le_bytes());
        answer.extend(text.as_bytes());
        answer.as_ptr()
    })
}

unsafe fn filled(start: *mut u8, bytes: usize) -> Vec<u8> {
    // SAFETY: `room` made it of a vector of that length.
    unsafe { Vec::from_raw_parts(start, bytes, bytes) }
}

/// Seeds of hash maps: any will do, and the same give the same answers.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    room: *mut u8,
    bytes: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: the caller owns that room.
    unsafe { std::ptr::write_bytes(room, 0x5a, bytes) };
    Ok(())
}
