using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using NodeAgent.Cri.Containerd.V1;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Makes events as containerd sends them.</summary>
internal static class ContainerdEnvelope
{
    public static Envelope Of(string topic, string containerId, uint exitCode, DateTimeOffset time)
    {
        Timestamp stamp = Timestamp.FromDateTimeOffset(time);
        IMessage payload = topic == "/tasks/exit"
            ? new TaskExit { ContainerId = containerId, Id = containerId, Pid = 4242, ExitStatus = exitCode, ExitedAt = stamp }
            : new TaskNotice { ContainerId = containerId };
        string name = topic switch
        {
            "/tasks/create" => "TaskCreate",
            "/tasks/start" => "TaskStart",
            "/tasks/exit" => "TaskExit",
            "/tasks/oom" => "TaskOOM",
            _ => "TaskDelete",
        };
        return new Envelope
        {
            Timestamp = stamp,
            Namespace = "k8s.io",
            Topic = topic,
            Event = new Any { TypeUrl = "containerd.events." + name, Value = payload.ToByteString() },
        };
    }
}
