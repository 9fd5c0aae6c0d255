dnl filterd: put these lines into /etc/mail/sendmail.mc, above the first MAILER line, then run make in /etc/mail.
dnl
dnl Mail passes filterd before it is taken. F=T: while filterd does not answer, mail is deferred; without F it would
dnl pass unread. C: connect. S: send one step. R: wait for one answer, the one at the end of the message too, so that it
dnl must be above [milter] deadline (60 s). E: everything from the end of the message to the verdict.
INPUT_MAIL_FILTER(`filterd', `S=local:/run/filterd/milter.sock, F=T, T=C:10s;S:30s;R:90s;E:120s')dnl
dnl
dnl Header blocks above this are refused with 552 (32,768 where it is not set). A field above 65,535 bytes fits into no
dnl packet to a milter, and F=T would defer its message until the sender gives up: keep this below.
define(`confMAX_HEADERS_LENGTH', `60000')dnl
dnl
dnl What is larger than [limits] message_bytes is not read whole, and held; without this Sendmail takes any size.
define(`confMAX_MESSAGE_SIZE', `50000000')dnl
dnl
dnl Released mail comes in here: on loopback, with no filter, so that it is not judged a second time. What comes in is
dnl trusted because of where it comes in, never because of a header.
DAEMON_OPTIONS(`Name=filterd-release, Family=inet, Addr=127.0.0.1, Port=10026, InputMailFilters=')dnl
