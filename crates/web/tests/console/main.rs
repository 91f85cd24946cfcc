//! The console as browsers and scripts meet it: bytes over a loopback socket, books in memory.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod browser;
mod scene;

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use warmfront_web::WebError;

use crate::browser::Running;
use crate::scene::books;

#[tokio::test]
async fn a_page_names_what_is_paused_and_why() {
    let console = Running::start(books().await).await;
    let page = console.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let row = page.between("ann@one.test", "</tr>");
    assert!(row.contains("paused"), "{row}");
    assert!(row.contains("an operator resumes it"), "{row}");
    assert!(row.contains("535 5.7.8 &#60;ann&#62; is refused"), "{row}");
    let row = page.between("bea@one.test", "</tr>");
    assert!(row.contains("active") && row.contains(">20<") && row.contains(">40<"), "{row}");
    assert!(page.body.contains("Friday, 15 January 2027"), "{}", page.body);
    assert!(page.body.contains("As of <time datetime=\"2027-01-15T09:00:00Z\">04:00</time>"));
    let shortfall = page.between("<li>", "</li>");
    assert_eq!(
        shortfall,
        "<b>spring: 360 short</b> (domain day): 8 more warmed mailboxes, or 1 more day"
    );
}

#[tokio::test]
async fn a_name_stays_text() {
    let console = Running::start(books().await).await;
    let page = console.get("/").await;
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(page.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{}", page.body);
}

#[tokio::test]
async fn scripts_get_the_same_as_json() {
    let console = Running::start(books().await).await;
    let answer = console.get("/api/status").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let want = json!({
        "at": "2027-01-15T09:00:00Z",
        "day": "2027-01-15",
        "timezone": "America/New_York",
        "attempted_today": 1,
        "accepted_today": 1,
        "planned_today": 1,
        "allowance_today": 80,
        "messages": { "accepted": 1, "planned": 1 },
        "mailboxes": [
            {
                "address": "ann@one.test", "state": "paused", "reason": "credentials",
                "why": "the server refused the log-in: 535 5.7.8 <ann> is refused", "paused_until": null,
                "warm_day": 20, "ease_percent": 100, "allowance": 40, "attempted": 0, "accepted": 0,
            },
            {
                "address": "bea@one.test", "state": "active", "reason": null, "why": null,
                "paused_until": null, "warm_day": 20, "ease_percent": 100, "allowance": 40,
                "attempted": 1, "accepted": 1,
            },
        ],
        "campaigns": [{
            "campaign": "spring", "name": "<script>alert(1)</script>", "state": "running",
            "why": null, "daily_target": 100, "people": { "active": 1, "finished": 1 },
            "messages": { "accepted": 1, "planned": 1 },
        }],
        "plan": {
            "revisions": 1,
            "planned": 2,
            "shortfall": [{
                "campaign": "spring", "count": 360, "why": "domain_day",
                "cure": "8 more warmed mailboxes, or 1 more day",
            }],
        },
    });
    assert_eq!(found, want);
}

#[tokio::test]
async fn empty_books_say_what_to_do_next() {
    let console = Running::start(scene::empty().await).await;
    let page = console.get("/").await;
    assert!(page.body.contains("[[mailbox]]"), "{}", page.body);
    assert!(page.body.contains("warmfront campaign import DIR"), "{}", page.body);
    assert!(page.body.contains("No plan of this day is saved yet."), "{}", page.body);
}

#[tokio::test]
async fn every_answer_is_sealed() {
    let console = Running::start(books().await).await;
    for path in ["/", "/api/status", "/health", "/console.css", "/nowhere"] {
        let answer = console.get(path).await;
        assert_eq!(answer.status, if path == "/nowhere" { 404 } else { 200 }, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let console = Running::start(books().await).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/", "/nowhere"] {
            let answer = console.ask(method, path, "localhost").await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
        }
    }
    let head = console.ask("HEAD", "/", "localhost").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_foreign_name_is_refused() {
    let console = Running::start(books().await).await;
    for (host, want) in [
        ("localhost:8025", 200),
        ("127.0.0.1", 200),
        ("[::1]:8025", 200),
        ("mail.example.com", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("192.0.2.7:8025", 403),
        ("", 400),
        ("two words", 400),
    ] {
        let answer = console.ask("GET", "/", host).await;
        assert_eq!(answer.status, want, "{host}");
        assert_eq!(answer.body.contains("ann@one.test"), want == 200, "{host}");
    }
    let whole = console.ask("GET", "http://evil.example/", "localhost").await;
    assert_eq!(whole.status, 403);
    let none = console.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(none.status, 400);
    let both =
        console.send("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!(both.status, 400);
}

#[tokio::test]
async fn health_is_the_books_word() {
    let console = Running::start(books().await).await;
    let healthy = console.get("/health").await;
    assert_eq!((healthy.status, healthy.body.as_str()), (200, "ok\n"));
    let (_folder, broken) = scene::broken().await;
    let console = Running::start(broken).await;
    for path in ["/health", "/", "/api/status"] {
        let answer = console.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.body, "the books do not answer; the daemon's log says why\n", "{path}");
    }
}

#[tokio::test]
async fn other_machines_are_kept_out() {
    async fn check(address: &str, want: bool) {
        let listening = scene::console(scene::empty().await).listen(address.parse().unwrap()).await;
        let found = !matches!(listening, Err(WebError::NotLoopback(_)));
        assert_eq!(found, want, "{address}");
    }
    check("127.0.0.1:0", true).await;
    check("[::1]:0", true).await;
    check("0.0.0.0:0", false).await;
    check("[::]:0", false).await;
    check("192.0.2.7:8025", false).await;
    let open = scene::console(scene::empty().await).listen("0.0.0.0:8025".parse().unwrap()).await;
    assert_eq!(
        open.unwrap_err().to_string(),
        "[web] listen = \"0.0.0.0:8025\" can be reached from other machines, and the console has \
         no log-in; write \"127.0.0.1:8025\", and from elsewhere use a tunnel: \
         `ssh -L 8025:127.0.0.1:8025 HOST`"
    );
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let first = Running::start(scene::empty().await).await;
    let second = scene::console(scene::empty().await).listen(first.address).await;
    let why = second.unwrap_err().to_string();
    assert!(why.contains(&format!("{} cannot be listened at", first.address)), "{why}");
    assert!(why.contains("[web] listen"), "{why}");
}

#[tokio::test]
async fn a_stop_waits_for_no_idle_visitor() {
    let console = Running::start(books().await).await;
    let mut idle = TcpStream::connect(console.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: local").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), console.stop()).await.expect("it ends");
}
