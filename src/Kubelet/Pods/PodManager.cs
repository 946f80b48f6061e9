using System.Collections.Concurrent;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>The pods this node should have, by UID, newest object each. Mirror pods are held apart, by full name.</summary>
public sealed class PodManager
{
    private readonly ConcurrentDictionary<PodUid, Pod> _pods = new();
    private readonly ConcurrentDictionary<(string Namespace, string Name), Pod> _mirrors = new();

    /// <summary>All desired pods without mirror pods.</summary>
    public ICollection<Pod> All => _pods.Values;

    /// <summary>All mirror pods seen in the API.</summary>
    public ICollection<Pod> Mirrors => _mirrors.Values;

    /// <summary>The newest object of a pod, or null.</summary>
    public Pod? Get(PodUid uid) => _pods.GetValueOrDefault(uid);

    /// <summary>The pod of that name, or null. A static pod comes before an API pod of the same name.</summary>
    public Pod? Find(string @namespace, string name)
    {
        Pod? found = null;
        foreach (Pod pod in _pods.Values)
        {
            if (pod.Metadata.Name == name && pod.Metadata.Namespace == @namespace)
            {
                if (pod.IsStatic)
                {
                    return pod;
                }

                // Of two of one name the younger counts: the elder is being torn down.
                found = found is null || pod.Metadata.CreationTimestamp > found.Metadata.CreationTimestamp ? pod : found;
            }
        }

        return found;
    }

    /// <summary>The mirror of this very static pod, or null: one made from an earlier manifest is not it.</summary>
    public Pod? MirrorOf(Pod staticPod) =>
        Mirror(staticPod.Metadata.Namespace ?? "", staticPod.Metadata.Name ?? "") is { } mirror && mirror.IsMirrorOf(staticPod) ? mirror : null;

    /// <summary>The mirror pod of that name, whatever static pod it was made from, or null.</summary>
    public Pod? Mirror(string @namespace, string name) => _mirrors.GetValueOrDefault((@namespace, name));

    /// <summary>Remembers the newest object.</summary>
    public void Set(Pod pod)
    {
        if (pod.IsMirror)
        {
            _mirrors[(pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "")] = pod;
        }
        else
        {
            _pods[pod.Uid] = pod;
        }
    }

    /// <summary>Forgets a pod that left its source.</summary>
    public void Remove(Pod pod)
    {
        if (pod.IsMirror)
        {
            var key = (pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "");
            if (_mirrors.TryGetValue(key, out Pod? known) && known.Uid == pod.Uid)
            {
                _mirrors.TryRemove(key, out _);
            }
        }
        else
        {
            _pods.TryRemove(pod.Uid, out _);
        }
    }
}
