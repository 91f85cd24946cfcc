"""Sends N messages by smtplib over 20 kept connections, a thread each, rendered with Jinja2; says
messages a second."""

import smtplib
import sys
import threading
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import jinja2

PORT, COUNT = int(sys.argv[1]), int(sys.argv[2])
SUBJECT = jinja2.Template("A question about {{company}}, {{first_name}}")
TEXT = jinja2.Template(
    "Hello {{first_name}} {{last_name}},\n\nI came across {{company}} in {{city}}.\n"
    "{% if note %}You may remember that {{note}}.\n{% endif %}\n"
    + "What we do about {{topic}} is quickly told.\n" * 28
    + "\nWith kind regards\nAnn Lee\n"
)


def work(numbers):
    with smtplib.SMTP("127.0.0.1", PORT) as server:
        for nr in numbers:
            values = {
                "first_name": "Pat",
                "last_name": f"Lee {nr}",
                "company": f"Company {nr}",
                "city": "Springfield",
                "topic": "roofs",
                "note": "" if nr % 3 else "we met at the fair in March",
            }
            message = EmailMessage()
            message["From"] = "ann@sender.example"
            message["To"] = f"pat.{nr}@company-{nr}.example"
            message["Subject"] = SUBJECT.render(values)
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain="sender.example")
            message.set_content(TEXT.render(values))
            server.send_message(message)


threads = [threading.Thread(target=work, args=(range(n, COUNT, 20),)) for n in range(20)]
begun = time.monotonic()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(COUNT / (time.monotonic() - begun))
