//! The client against a server that refuses for a while.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers each connection with the next status, and counts.
fn server(answers: &'static [u16]) -> (String, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let counting = std::thread::spawn(move || {
        for status in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"name=anna") {
                let mut some = [0; 512];
                let read = stream.read(&mut some).unwrap();
                request.extend_from_slice(&some[..read]);
            }
            let head =
                format!("HTTP/1.1 {status} X\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        }
        answers.len()
    });
    (url, counting)
}

#[test]
fn a_form_that_came_too_soon_is_posted_again() {
    let (url, counting) = server(&[429, 429, 303]);
    let agent = agent();
    let answer = patiently(|| agent.post(&url).send_form([("name", "anna")])).unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(counting.join().unwrap(), 3);
}

#[test]
fn patience_ends() {
    let (url, counting) = server(&[429; BUSY_TRIES + 1]);
    let agent = agent();
    let answer = patiently(|| agent.post(&url).send_form([("name", "anna")])).unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(counting.join().unwrap(), BUSY_TRIES + 1);
}
