// The public header in a C++ program: compiles without warnings, and links.
#include <heapd/heapd.h>

int main()
{
    heapd_value value = heapd_str("text");
    heapd_path_step step = heapd_step_member("name");
    heapd_options options = HEAPD_OPTIONS_INIT;
    heapd_connection *connection = nullptr;
    heapd_error error;
    int code = heapd_connect("unix:/nonexistent/heapd.sock", &options, &connection, &error);
    heapd_close(connection);
    return code == HEAPD_EUNAVAILABLE && value.as.bytes.size == 4 && step.is_member && heapd_int(3).as.integer == 3
               ? 0
               : 1;
}
