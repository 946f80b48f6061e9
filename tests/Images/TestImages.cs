using System.Diagnostics;

namespace NodeAgent.Images;

/// <summary>The images that end-to-end tests and the demo run, made from what the host has: Debian's static busybox and a C compiler.</summary>
public static class TestImages
{
    /// <summary>The sandbox image: waits for a signal and reaps orphans.</summary>
    public const string Pause = "node-agent.test/pause:1";

    /// <summary>busybox with a link for each applet.</summary>
    public const string Busybox = "node-agent.test/busybox:1";

    /// <summary>busybox serving HTTP on 8080: the pod's name, and its address at /address.</summary>
    public const string Hello = "node-agent.test/hello-server:1";

    /// <summary>busybox whose image names a user.</summary>
    public const string NonRoot = "node-agent.test/nonroot:1";

    /// <summary>Where Debian's package busybox-static puts the program.</summary>
    public const string BusyboxProgram = "/bin/busybox";

    // PID 1 of a pod's sandbox: ends on SIGTERM and SIGINT, reaps what a shared process namespace leaves.
    private const string PauseSource = """
        #include <signal.h>
        #include <stddef.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void leave(int signal) { (void)signal; _exit(0); }
        static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0) { } }
        int main(void) {
            struct sigaction end = { .sa_handler = leave }, child = { .sa_handler = reap, .sa_flags = SA_NOCLDSTOP };
            sigaction(SIGTERM, &end, NULL); sigaction(SIGINT, &end, NULL); sigaction(SIGCHLD, &child, NULL);
            for (;;) pause();
        }
        """;

    // The body of what HTTP at ADDRESS PORT answers to GET /, within 3 s. Debian's static busybox cannot do it: its wget and nc end with a
    // segmentation fault where glibc's name service libraries are absent.
    private const string AskSource = """
        #include <arpa/inet.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <unistd.h>
        int main(int count, char **argument) {
            static char text[65536];
            size_t size = 0; ssize_t got;
            struct sockaddr_in to = { .sin_family = AF_INET };
            const char *request = "GET / HTTP/1.0\r\nHost: ask\r\n\r\n";
            if (count != 3 || inet_pton(AF_INET, argument[1], &to.sin_addr) != 1) { fputs("ask ADDRESS PORT\n", stderr); return 2; }
            to.sin_port = htons(atoi(argument[2]));
            alarm(3);
            int s = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); return 1; }
            if (write(s, request, strlen(request)) < 0) { perror("write"); return 1; }
            while (size < sizeof text - 1 && (got = read(s, text + size, sizeof text - 1 - size)) > 0) size += got;
            char *body = strstr(text, "\r\n\r\n");
            if (body == NULL) { fputs("no HTTP answer\n", stderr); return 1; }
            fputs(body + 4, stdout);
            return 0;
        }
        """;

    private const string HelloScript = """
        #!/bin/sh
        mkdir -p /www && hostname > /www/index.html && hostname -i > /www/address
        trap 'kill $child; exit 0' TERM
        echo "serving on 8080 as $(hostname)"
        httpd -f -p 8080 -h /www & child=$!
        wait $child
        """;

    /// <summary>Writes every image into the folder and answers the archives' paths.</summary>
    public static async Task<IReadOnlyList<string>> WriteAsync(string folder, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(folder);
        string pause = Path.Combine(folder, "pause"), ask = Path.Combine(folder, "ask");
        await CompileAsync(PauseSource, pause, cancellationToken);
        await CompileAsync(AskSource, ask, cancellationToken);
        string[] applets = (await RunAsync(BusyboxProgram, ["--list"], null, cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        List<string> archives = [];
        Add("pause.tar", Pause, new ImageLayer().Program("/pause", pause), new ImageSettings { Entrypoint = ["/pause"] });
        Add("busybox.tar", Busybox, Root(applets, ask), new ImageSettings { Command = ["sh"] });
        Add("hello.tar", Hello, Root(applets, ask).File("/hello", System.Text.Encoding.UTF8.GetBytes(HelloScript), (UnixFileMode)0b111_101_101),
            new ImageSettings { Entrypoint = ["/hello"] });
        Add("nonroot.tar", NonRoot, Root(applets, ask), new ImageSettings { Command = ["sh", "-c", "id; sleep 3600"], User = "1234" });
        return archives;

        void Add(string file, string name, ImageLayer layer, ImageSettings settings)
        {
            string path = Path.Combine(folder, file);
            ImageArchive.Write(path, [name], layer, settings);
            archives.Add(path);
        }
    }

    private static ImageLayer Root(IEnumerable<string> applets, string ask)
    {
        ImageLayer layer = new ImageLayer().Program("/bin/busybox", BusyboxProgram).Program("/bin/ask", ask)
            .File("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
            .File("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
            .Folder("/tmp", (UnixFileMode)0b001_111_111_111).Folder("/root").Folder("/proc").Folder("/sys").Folder("/dev");
        foreach (string applet in applets.Where(applet => applet != "busybox"))
            layer.Link("/bin/" + applet, "busybox");
        return layer;
    }

    private static async Task CompileAsync(string source, string output, CancellationToken cancellationToken) =>
        await RunAsync("gcc", ["-x", "c", "-Os", "-static", "-s", "-o", output, "-"], source, cancellationToken);

    private static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string? input, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken), error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await error}");
    }
}
