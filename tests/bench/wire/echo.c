/*
 * The floor: a server that does nothing but send back what comes, on libuv's own
 * streams. What a request costs here is what the loop and the kernel cost.
 *
 * usage: bench_echo SOCKET
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct client {
    uv_pipe_t pipe;
    char buffer[65536];
};

struct reply {
    uv_write_t write;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void on_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct client *client = handle->data;
    (void)wanted;
    *out = uv_buf_init(client->buffer, sizeof client->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    if (count < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned)count);
    int sent = count ? uv_try_write(stream, &out, 1) : 0;
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == (size_t)count)
        return;
    /* What the kernel does not take now is kept. */
    size_t left = (size_t)count - done;
    struct reply *reply = malloc(sizeof *reply + left);
    if (!reply)
        abort();
    memcpy(reply->bytes, buffer->base + done, left);
    reply->write.data = reply;
    out = uv_buf_init(reply->bytes, (unsigned)left);
    if (uv_write(&reply->write, stream, &out, 1, on_written))
        free(reply);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = status ? NULL : malloc(sizeof *client);
    if (!client)
        return;
    (void)uv_pipe_init(listener->loop, &client->pipe, 0);
    client->pipe.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) ||
        uv_read_start((uv_stream_t *)&client->pipe, on_buffer, on_read))
        uv_close((uv_handle_t *)&client->pipe, on_closed);
}

int main(int count, char **arguments)
{
    uv_loop_t *loop = uv_default_loop();
    uv_pipe_t listener;
    if (count != 2) {
        (void)fputs("usage: bench_echo SOCKET\n", stderr);
        return 2;
    }
    (void)uv_pipe_init(loop, &listener, 0);
    int error = uv_pipe_bind(&listener, arguments[1]);
    if (!error)
        error = uv_listen((uv_stream_t *)&listener, 1024, on_connection);
    if (error) {
        (void)fprintf(stderr, "bench_echo: %s: %s\n", arguments[1], uv_strerror(error));
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
