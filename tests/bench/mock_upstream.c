/* A model server that costs next to nothing: one thread, epoll, HTTP/1.1 on 127.0.0.1, the OpenAI wire.
 * Arguments: PORT (0 = any; the chosen one is printed) GAP_MS (0 = back to back) CHUNKS (default 30).
 * A POST whose body asks for a stream gets CHUNKS events, each its own send(), then usage and [DONE];
 * any other POST gets one completion; a GET lists the one model. It checks nothing and never will. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 8192
#define MAX_CHUNKS 1000
#define MAX_REQUEST (4u << 20)

struct bytes { char *at; size_t len, room; };

struct conn {
    int open, streaming, closing;   /* closing: hang up once the answer is out */
    int wants_out;                  /* epoll also watches for room to write */
    int next_event;
    int64_t due_ns;
    struct conn *before, *after;    /* the queue of paced streams, soonest first */
    struct bytes in, out;
};

static struct conn conns[MAX_FD];
static struct conn *queue_head, *queue_tail;
static struct bytes completion, models, stream_head, events[MAX_CHUNKS + 1];
static int n_chunks = 30, epoll_fd, timer_fd;
static int64_t gap_ns, timer_set_for;

static int fd_of(const struct conn *c) { return (int)(c - conns); }

static void append(struct bytes *b, const char *data, size_t len) {
    if (b->len + len >= b->room) {
        b->room = (b->len + len + 1) * 2;
        b->at = realloc(b->at, b->room);
        if (!b->at) abort();
    }
    memcpy(b->at + b->len, data, len);
    b->len += len;
    b->at[b->len] = 0;      /* so that strtoul() never runs past the end */
}

static void append_text(struct bytes *b, const char *text) { append(b, text, strlen(text)); }

static void append_frame(struct bytes *b, const char *payload) {
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", strlen(payload));
    append_text(b, size);
    append_text(b, payload);
    append_text(b, "\r\n");
}

static void build_json(struct bytes *b, const char *body) {
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
             strlen(body));
    append_text(b, head);
    append_text(b, body);
}

static void build_answers(void) {
    static const char meta[] = "\"id\":\"chatcmpl-bench\",\"created\":1760000000,\"model\":\"bench-model\"";
    char text[1024];
    snprintf(text, sizeof text,
        "{%s,\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":196,\"completion_tokens\":54,\"total_tokens\":250}}", meta,
        "A benchmark answer has one duty: to be as long as a short real one. It therefore says that rivers run downhill, that bread "
        "needs an oven and some patience, that a harbour is where ships wait for weather, and that this sentence, like the "
        "measurement it belongs to, ends exactly here and at no other place.");
    build_json(&completion, text);
    build_json(&models, "{\"object\":\"list\",\"data\":["
        "{\"id\":\"bench-model\",\"object\":\"model\",\"created\":1760000000,\"owned_by\":\"bench\"}]}");
    append_text(&stream_head, "HTTP/1.1 200 OK\r\n"
        "content-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
    for (int i = 0; i < n_chunks; i++) {
        char word[32];
        int last = i == n_chunks - 1;
        snprintf(word, sizeof word, "\"content\":\" word%03d\"", i);
        snprintf(text, sizeof text, "data: {%s,\"object\":\"chat.completion.chunk\","
                 "\"choices\":[{\"index\":0,\"delta\":{%s%s},\"finish_reason\":%s}]}\n\n", meta,
                 i ? "" : "\"role\":\"assistant\",", last ? "\"content\":\"\"" : word, last ? "\"stop\"" : "null");
        append_frame(&events[i], text);
    }
    snprintf(text, sizeof text, "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[],"
             "\"usage\":{\"prompt_tokens\":196,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n", meta, n_chunks, 196 + n_chunks);
    append_frame(&events[n_chunks], text);
    append_frame(&events[n_chunks], "data: [DONE]\n\n");
    append_text(&events[n_chunks], "0\r\n\r\n");
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void enqueue(struct conn *c) {
    c->due_ns = now_ns() + gap_ns;      /* one gap for all, so the tail is always the latest */
    c->before = queue_tail;
    c->after = NULL;
    if (queue_tail) queue_tail->after = c; else queue_head = c;
    queue_tail = c;
}

static void dequeue(struct conn *c) {
    if (c->before) c->before->after = c->after; else queue_head = c->after;
    if (c->after) c->after->before = c->before; else queue_tail = c->before;
}

static void hang_up(struct conn *c) {
    if (!c->open) return;
    if (c->streaming && gap_ns) dequeue(c);
    c->open = c->streaming = c->closing = c->wants_out = 0;
    c->in.len = c->out.len = 0;
    close(fd_of(c));
}

static void watch_out(struct conn *c, int on) {
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.fd = fd_of(c)};
    if (c->wants_out == on) return;
    c->wants_out = on;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd_of(c), &e);
}

/* Sends now what the socket takes and keeps the rest; -1 when the peer is gone. */
static int put(struct conn *c, const struct bytes *b) {
    ssize_t sent = 0;
    if (!c->out.len) {
        sent = send(fd_of(c), b->at, b->len, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) return -1;
            sent = 0;
        }
    }
    if ((size_t)sent < b->len) {
        append(&c->out, b->at + sent, b->len - (size_t)sent);
        watch_out(c, 1);
    }
    return 0;
}

static int flush_out(struct conn *c) {
    ssize_t sent = send(fd_of(c), c->out.at, c->out.len, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    memmove(c->out.at, c->out.at + sent, c->out.len - (size_t)sent);
    c->out.len -= (size_t)sent;
    if (!c->out.len) watch_out(c, 0);
    return 0;
}

static struct bytes unchunked;

/* Joins a complete chunked body into `unchunked`. Returns its length on the wire; 0 = more to come, -1 = malformed. */
static ssize_t join_chunks(const char *p, size_t have) {
    size_t at = 0;
    unchunked.len = 0;
    for (;;) {
        char *stop, *line_end = memmem(p + at, have - at, "\r\n", 2);
        if (!line_end) return 0;
        size_t size = strtoul(p + at, &stop, 16), data = (size_t)(line_end - p) + 2;
        if (stop == p + at || size > MAX_REQUEST) return -1;
        at = data + size + 2;       /* after the last, empty chunk no trailers are expected of a gateway */
        if (at > have) return 0;
        if (!size) return (ssize_t)at;
        append(&unchunked, p + data, size);
    }
}

static int asks_stream(const char *body, size_t len) {
    const char *p = body, *end = body + len;
    while ((p = memmem(p, (size_t)(end - p), "\"stream\"", 8))) {
        p += 8;
        while (p < end && (*p == ' ' || *p == ':')) p++;
        if (end - p >= 4 && !memcmp(p, "true", 4)) return 1;
    }
    return 0;
}

struct request { size_t head, whole; int get, stream, close_after, expects; };

/* 1 = a complete request is in the buffer, 0 = more to come, -1 = hang up. */
static int parse(struct conn *c, struct request *r) {
    char *end, *eol, *start = c->in.at;
    size_t content = 0;
    int chunked = 0;
    memset(r, 0, sizeof *r);
    if (!c->in.len || !(end = memmem(start, c->in.len, "\r\n\r\n", 4))) return 0;
    r->head = (size_t)(end - start) + 4;
    r->get = !strncmp(start, "GET ", 4);
    for (char *line = start; line < end; line = eol + 2) {
        eol = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        size_t width = (size_t)(eol - line);
        if (line == start) r->close_after = width > 8 && !memcmp(eol - 8, "HTTP/1.0", 8);
        else if (!strncasecmp(line, "content-length:", 15)) content = strtoul(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = memmem(line, width, "chunked", 7) != NULL;
        else if (!strncasecmp(line, "connection:", 11)) r->close_after |= memmem(line, width, "close", 5) != NULL;
        else if (!strncasecmp(line, "expect:", 7)) r->expects = 1;
    }
    if (content > MAX_REQUEST) return -1;
    if (chunked) {
        ssize_t length = join_chunks(end + 4, c->in.len - r->head);
        if (length <= 0) return (int)length;
        content = (size_t)length;
    }
    r->whole = r->head + content;
    if (c->in.len < r->whole) return 0;
    r->stream = chunked ? asks_stream(unchunked.at, unchunked.len) : asks_stream(end + 4, content);
    return 1;
}

static int start_stream(struct conn *c) {
    if (put(c, &stream_head)) return -1;
    if (!gap_ns) {
        for (int i = 0; i <= n_chunks; i++) if (put(c, &events[i])) return -1;
        return 0;
    }
    c->streaming = 1;
    c->next_event = 1;
    enqueue(c);
    return put(c, &events[0]);
}

static void answer_requests(struct conn *c) {
    struct request r = {0};
    static const struct bytes go_on = {"HTTP/1.1 100 Continue\r\n\r\n", 25, 25};
    int found = 0;
    while (c->open && !c->streaming && !c->closing && (found = parse(c, &r)) == 1) {
        c->closing = r.close_after;
        memmove(c->in.at, c->in.at + r.whole, c->in.len - r.whole + 1);
        c->in.len -= r.whole;
        if (r.stream ? start_stream(c) : put(c, r.get ? &models : &completion)) hang_up(c);
    }
    if (found < 0) hang_up(c);
    else if (c->open && !c->streaming && c->in.len && c->in.len == r.head && r.expects && put(c, &go_on)) hang_up(c);
    if (c->open && c->closing && !c->streaming && !c->out.len) hang_up(c);
}

static void receive(struct conn *c) {
    char block[65536];
    ssize_t got = recv(fd_of(c), block, sizeof block, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || c->in.len + (size_t)got > MAX_REQUEST + sizeof block) {
        hang_up(c);
        return;
    }
    append(&c->in, block, (size_t)got);
    answer_requests(c);
}

static void send_due_events(void) {
    int64_t now = now_ns();
    while (queue_head && queue_head->due_ns <= now) {
        struct conn *c = queue_head;
        const struct bytes *event = &events[c->next_event++];
        dequeue(c);
        if (c->next_event > n_chunks) c->streaming = 0;
        else enqueue(c);
        if (put(c, event)) hang_up(c);
        else if (!c->streaming) answer_requests(c);     /* a request may have been pipelined meanwhile */
    }
}

static void set_timer(void) {
    int64_t due = queue_head ? queue_head->due_ns : 0;
    struct itimerspec t = {.it_value = {due / 1000000000, due % 1000000000}};
    if (due == timer_set_for) return;
    timer_set_for = due;
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MAX_FD) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conns[fd].open = 1;
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024) || getsockname(fd, (struct sockaddr *)&a, &size)) {
        perror("mock_upstream: listen");
        exit(1);
    }
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    struct epoll_event batch[256], e = {.events = EPOLLIN};
    gap_ns = (argc > 2 ? atoi(argv[2]) : 0) * (int64_t)1000000;
    if (argc > 3) n_chunks = atoi(argv[3]);
    if (n_chunks < 1 || n_chunks > MAX_CHUNKS) return 2;
    signal(SIGPIPE, SIG_IGN);
    build_answers();
    epoll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    e.data.fd = listener;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    e.data.fd = timer_fd;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, batch, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = batch[i].data.fd;
            if (fd == listener) accept_all(listener);
            else if (fd == timer_fd) {
                uint64_t ticks;
                if (read(timer_fd, &ticks, sizeof ticks) > 0) timer_set_for = 0;
            } else if (conns[fd].open) {
                struct conn *c = &conns[fd];
                if (batch[i].events & EPOLLOUT && flush_out(c)) hang_up(c);
                if (c->open && c->closing && !c->streaming && !c->out.len) hang_up(c);
                if (c->open && batch[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
            }
        }
        send_due_events();
        set_timer();
    }
}
