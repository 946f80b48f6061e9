using System.Collections.Frozen;

namespace NodeAgent.Kubelet.Sync;

/// <summary>
/// Every field of a pod spec by its JSON path: carried out (or nothing that a node has to do anything for), with all that is below it;
/// refused; or carried out only with certain values. "[]" stands for list items; initContainers and ephemeralContainers have the entries
/// of containers. A test walks the API schema and finds each path here, so that a new field cannot be passed over.
/// </summary>
internal static class PodFieldTable
{
    /// <summary>Paths that are carried out, each with all below it.</summary>
    public static readonly FrozenSet<string> Honoured = Words("""
        activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork
        hostPID hostUsers hostname hostnameOverride imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName
        readinessGates resources.limits resources.requests restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup serviceAccount serviceAccountName
        setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints
        securityContext.appArmorProfile securityContext.fsGroup securityContext.fsGroupChangePolicy securityContext.runAsGroup
        securityContext.runAsNonRoot securityContext.runAsUser securityContext.seLinuxChangePolicy securityContext.seLinuxOptions
        securityContext.seccompProfile securityContext.supplementalGroups securityContext.supplementalGroupsPolicy securityContext.sysctls
        volumes[].name volumes[].emptyDir volumes[].image volumes[].hostPath volumes[].configMap volumes[].secret volumes[].downwardAPI
        volumes[].projected.defaultMode volumes[].projected.sources[].configMap volumes[].projected.sources[].secret
        volumes[].projected.sources[].downwardAPI volumes[].projected.sources[].serviceAccountToken
        containers[].args containers[].command containers[].env[].name containers[].env[].value containers[].env[].valueFrom.configMapKeyRef
        containers[].env[].valueFrom.fieldRef containers[].env[].valueFrom.fileKeyRef containers[].env[].valueFrom.resourceFieldRef containers[].env[].valueFrom.secretKeyRef
        containers[].envFrom containers[].image containers[].imagePullPolicy containers[].lifecycle.postStart containers[].lifecycle.preStop
        containers[].lifecycle.stopSignal
        containers[].livenessProbe containers[].name containers[].ports containers[].readinessProbe containers[].resizePolicy
        containers[].resources.limits containers[].resources.requests containers[].restartPolicy
        containers[].restartPolicyRules containers[].startupProbe containers[].stdin containers[].stdinOnce
        containers[].targetContainerName containers[].terminationMessagePath containers[].terminationMessagePolicy containers[].tty
        containers[].volumeMounts[].mountPath containers[].volumeMounts[].mountPropagation containers[].volumeMounts[].name
        containers[].volumeMounts[].readOnly containers[].volumeMounts[].recursiveReadOnly containers[].volumeMounts[].subPath containers[].volumeMounts[].subPathExpr
        containers[].workingDir
        containers[].securityContext.allowPrivilegeEscalation containers[].securityContext.appArmorProfile
        containers[].securityContext.capabilities containers[].securityContext.privileged containers[].securityContext.procMount
        containers[].securityContext.readOnlyRootFilesystem containers[].securityContext.runAsGroup containers[].securityContext.runAsNonRoot
        containers[].securityContext.runAsUser containers[].securityContext.seLinuxOptions containers[].securityContext.seccompProfile
        """);

    /// <summary>Paths that make a pod wait.</summary>
    public static readonly FrozenSet<string> Refused = Words("""
        resourceClaims resources.claims securityContext.windowsOptions
        containers[].resources.claims containers[].volumeDevices
        containers[].securityContext.windowsOptions
        volumes[].projected.sources[].clusterTrustBundle volumes[].projected.sources[].podCertificate
        volumes[].awsElasticBlockStore volumes[].azureDisk volumes[].azureFile volumes[].cephfs volumes[].cinder volumes[].csi
        volumes[].ephemeral volumes[].fc volumes[].flexVolume volumes[].flocker volumes[].gcePersistentDisk volumes[].gitRepo
        volumes[].glusterfs volumes[].iscsi volumes[].nfs volumes[].persistentVolumeClaim volumes[].photonPersistentDisk
        volumes[].portworxVolume volumes[].quobyte volumes[].rbd volumes[].scaleIO volumes[].storageos volumes[].vsphereVolume
        """);

    /// <summary>JSON texts of the values that are carried out; any other makes a pod wait.</summary>
    public static readonly FrozenDictionary<string, string[]> HonouredValues = new Dictionary<string, string[]>
    {
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static FrozenSet<string> Words(string text) =>
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
}
