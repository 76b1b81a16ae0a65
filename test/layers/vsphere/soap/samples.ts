/** For each operation what it is sent and what it answers, as wire values in the form in which they arrive. */
import type { VimOperation, WireValue } from "../../../../src/layers/vsphere/Vim.ts"

const ref = (type: string, value: string) => ({ type, value })
const vm = ref("VirtualMachine", "vm-12")
const collector = ref("PropertyCollector", "session[1]2")
const task = ref("Task", "task-7")
const login = { _type: "NamePasswordAuthentication", interactiveSession: false, username: "root", password: "p<&>w " }

const content = {
  rootFolder: ref("Folder", "group-d1"),
  propertyCollector: ref("PropertyCollector", "propertyCollector"),
  viewManager: ref("ViewManager", "ViewManager"),
  about: {
    name: "VMware vCenter Server",
    fullName: "VMware vCenter Server 8.0.2 build-1",
    vendor: "VMware, Inc.",
    version: "8.0.2",
    build: "1",
    osType: "linux-x64",
    productLineId: "vpx",
    apiType: "VirtualCenter",
    apiVersion: "8.0.2.0"
  },
  sessionManager: ref("SessionManager", "SessionManager"),
  guestOperationsManager: ref("GuestOperationsManager", "guestOperationsManager")
}

const recursive = {
  _type: "TraversalSpec",
  name: "folders",
  type: "Folder",
  path: "childEntity",
  skip: false,
  selectSet: [{ name: "folders" }, { name: "tasks" }]
}

const filter = {
  propSet: [
    { type: "VirtualMachine", all: false, pathSet: ["name", "config.annotation"] },
    { type: "Task", pathSet: ["info.state"] }
  ],
  objectSet: [{ obj: ref("ContainerView", "session[1]3"), skip: true, selectSet: [recursive] }],
  reportMissingObjectsInResults: false
}

/** Property values of every kind that an anyType place can hold. */
const properties: ReadonlyArray<{ readonly name: string; readonly val: WireValue }> = [
  { name: "name", val: { _type: "xsd:string", _value: "worker-1" } },
  {
    name: "config.annotation",
    val: { _type: "xsd:string", _value: '  {"a":"<&>\\"\u00e9\ud83d\ude80"}\n\n\ttail\r\n ' }
  },
  { name: "config.empty", val: { _type: "xsd:string", _value: "" } },
  { name: "config.number", val: { _type: "xsd:string", _value: "007" } },
  { name: "config.hardware.numCPU", val: { _type: "xsd:int", _value: 4 } },
  { name: "summary.storage.committed", val: { _type: "xsd:long", _value: 12_884_901_888 } },
  { name: "counter", val: { _type: "xsd:long", _value: "9223372036854775807" } },
  { name: "load", val: { _type: "xsd:double", _value: 0.25 } },
  { name: "config.template", val: { _type: "xsd:boolean", _value: false } },
  { name: "config.createDate", val: { _type: "xsd:dateTime", _value: "2026-01-02T03:04:05.678Z" } },
  { name: "runtime.powerState", val: { _type: "VirtualMachinePowerState", _value: "poweredOn" } },
  { name: "resourcePool", val: ref("ResourcePool", "resgroup-8") },
  { name: "recentTask", val: { _type: "ArrayOfManagedObjectReference", ManagedObjectReference: [task] } },
  { name: "network", val: { _type: "ArrayOfManagedObjectReference", ManagedObjectReference: [] } },
  { name: "layout", val: { _type: "ArrayOfString", string: ["one"] } },
  { name: "layouts", val: { _type: "ArrayOfString", string: ["one", "", " two "] } },
  { name: "numbers", val: { _type: "ArrayOfInt", int: [1, 2, 3] } },
  { name: "values", val: { _type: "ArrayOfAnyType", anyType: [{ _type: "xsd:int", _value: 1 }, vm] } },
  { name: "privilege", val: { _type: "ArrayOfHostSystemPowerState", HostSystemPowerState: ["poweredOn"] } },
  {
    name: "guest.net",
    val: {
      _type: "ArrayOfGuestNicInfo",
      GuestNicInfo: [
        {
          network: "VM Network",
          ipAddress: ["10.0.0.7"],
          macAddress: "00:50:56:00:00:01",
          connected: true,
          deviceConfigId: 4000
        },
        { network: "VM Network", connected: false, deviceConfigId: 4001 }
      ]
    }
  },
  {
    name: "config.extraConfig",
    val: {
      _type: "ArrayOfOptionValue",
      OptionValue: [
        { key: "guestinfo.a", value: { _type: "xsd:string", _value: "b" } },
        { key: "flag", value: { _type: "xsd:boolean", _value: true } }
      ]
    }
  },
  {
    name: "config.hardware.device",
    val: {
      _type: "ArrayOfVirtualDevice",
      VirtualDevice: [
        { _type: "VirtualIDEController", key: 200, busNumber: 0 },
        {
          _type: "VirtualVmxnet3",
          key: 4000,
          deviceInfo: { label: "Network adapter 1", summary: "VM Network" },
          backing: {
            _type: "VirtualEthernetCardNetworkBackingInfo",
            deviceName: "VM Network",
            network: ref("Network", "network-7")
          },
          connectable: { startConnected: true, allowGuestControl: true, connected: false },
          controllerKey: 100,
          unitNumber: 7,
          addressType: "assigned",
          macAddress: "00:50:56:00:00:01"
        }
      ]
    }
  },
  {
    name: "snapshot",
    val: {
      _type: "VirtualMachineSnapshotInfo",
      currentSnapshot: ref("VirtualMachineSnapshot", "snapshot-2"),
      rootSnapshotList: [
        {
          snapshot: ref("VirtualMachineSnapshot", "snapshot-1"),
          vm,
          name: "base",
          description: "",
          id: 1,
          createTime: "2026-01-02T03:04:05Z",
          state: "poweredOff",
          quiesced: false,
          childSnapshotList: [
            {
              snapshot: ref("VirtualMachineSnapshot", "snapshot-2"),
              vm,
              name: "linked",
              description: "",
              id: 2,
              createTime: "2026-01-02T03:04:06Z",
              state: "poweredOff",
              quiesced: false
            }
          ]
        }
      ]
    }
  },
  {
    name: "info.error",
    val: {
      _type: "LocalizedMethodFault",
      fault: { _type: "DuplicateName", name: "worker-1", object: vm },
      localizedMessage: "The name 'worker-1' already exists."
    }
  },
  {
    name: "info.cause",
    val: { _type: "LocalizedMethodFault", fault: { _type: "ConcurrentAccess" }, localizedMessage: "" }
  },
  { name: "of.a.later.release", val: { _type: "NobodyKnows", field: "x", nested: { deep: ["1", "2"] }, other: vm } }
]

const object = {
  obj: vm,
  propSet: properties,
  missingSet: [
    {
      path: "config",
      fault: { fault: { _type: "NoPermission", object: vm, privilegeId: "System.View" }, localizedMessage: "no" }
    }
  ]
}

export const cloneSpec = {
  location: {
    datastore: ref("Datastore", "datastore-1"),
    diskMoveType: "createNewChildDiskBacking",
    pool: ref("ResourcePool", "resgroup-8"),
    deviceChange: [
      { operation: "remove", device: { _type: "VirtualE1000", key: 4000 } },
      {
        operation: "add",
        device: {
          _type: "VirtualVmxnet3",
          key: -1,
          backing: {
            _type: "VirtualEthernetCardDistributedVirtualPortBackingInfo",
            port: { switchUuid: "50 01", portgroupKey: "dvportgroup-9" }
          },
          connectable: { startConnected: true, allowGuestControl: true, connected: true },
          addressType: "generated"
        }
      }
    ]
  },
  template: false,
  config: {
    name: "worker-1",
    instanceUuid: "5f0c6f0e-0000-4000-8000-000000000001",
    annotation: '{"k":1}',
    tools: { afterPowerOn: true },
    numCPUs: 4,
    memoryMB: 4096,
    extraConfig: [{ key: "a", value: { _type: "xsd:string", _value: "b" } }]
  },
  customization: {
    options: { _type: "CustomizationLinuxOptions" },
    identity: {
      _type: "CustomizationLinuxPrep",
      hostName: { _type: "CustomizationFixedName", name: "worker-1" },
      domain: "local"
    },
    globalIPSettings: { dnsServerList: ["10.0.0.2"] },
    nicSettingMap: [
      {
        adapter: {
          ip: { _type: "CustomizationFixedIp", ipAddress: "10.0.0.7" },
          subnetMask: "255.255.255.0",
          gateway: ["10.0.0.1"]
        }
      },
      { adapter: { ip: { _type: "CustomizationDhcpIpGenerator" } } }
    ]
  },
  powerOn: true,
  snapshot: ref("VirtualMachineSnapshot", "snapshot-2")
}

type Args = { readonly [key: string]: WireValue }

export const samples: Readonly<Record<VimOperation, { readonly args: Args; readonly result: WireValue }>> = {
  RetrieveServiceContent: { args: { _this: ref("ServiceInstance", "ServiceInstance") }, result: content },
  Login: {
    args: { _this: content.sessionManager, userName: "DOM\\ci", password: ' p"w<&>\u00e9 ', locale: "en" },
    result: {
      key: "52-1",
      userName: "DOM\\ci",
      fullName: "",
      loginTime: "2026-01-02T03:04:05Z",
      lastActiveTime: "2026-01-02T03:04:05Z",
      locale: "en",
      messageLocale: "en"
    }
  },
  Logout: { args: { _this: content.sessionManager }, result: undefined },
  CurrentTime: { args: { _this: ref("ServiceInstance", "ServiceInstance") }, result: "2026-01-02T03:04:05.123456Z" },
  CreateContainerView: {
    args: {
      _this: content.viewManager,
      container: ref("Datacenter", "dc-2"),
      type: ["VirtualMachine"],
      recursive: true
    },
    result: ref("ContainerView", "session[1]3")
  },
  DestroyView: { args: { _this: ref("ContainerView", "session[1]3") }, result: undefined },
  CreatePropertyCollector: { args: { _this: content.propertyCollector }, result: collector },
  DestroyPropertyCollector: { args: { _this: collector }, result: undefined },
  CreateFilter: {
    args: { _this: collector, spec: filter, partialUpdates: true },
    result: ref("PropertyFilter", "session[1]4")
  },
  WaitForUpdatesEx: {
    args: { _this: collector, version: "3", options: { maxWaitSeconds: 30, maxObjectUpdates: 250 } },
    result: {
      version: "4",
      filterSet: [
        {
          filter: ref("PropertyFilter", "session[1]4"),
          objectSet: [
            {
              kind: "enter",
              obj: vm,
              changeSet: properties.map(({ name, val }) => ({ name, op: "assign", val })),
              missingSet: object.missingSet
            },
            { kind: "modify", obj: vm, changeSet: [{ name: "guest.ipAddress", op: "indirectRemove" }] },
            { kind: "leave", obj: vm }
          ],
          missingSet: [
            { obj: vm, fault: { fault: { _type: "ManagedObjectNotFound", obj: vm }, localizedMessage: "gone" } }
          ]
        }
      ],
      truncated: true
    }
  },
  CancelWaitForUpdates: { args: { _this: collector }, result: undefined },
  RetrievePropertiesEx: {
    args: { _this: collector, specSet: [filter], options: { maxObjects: 100 } },
    result: { token: "t", objects: [object, { obj: vm }] }
  },
  ContinueRetrievePropertiesEx: { args: { _this: collector, token: "t" }, result: { objects: [object] } },
  CloneVM_Task: {
    args: { _this: vm, folder: ref("Folder", "group-v3"), name: "worker-1", spec: cloneSpec },
    result: task
  },
  ReconfigVM_Task: {
    args: {
      _this: vm,
      spec: {
        changeVersion: "2026-01-02T03:04:05.678Z",
        name: "worker-2",
        annotation: "",
        numCPUs: 2,
        deviceChange: [{ operation: "edit", device: { _type: "VirtualDisk", key: 2000, capacityInKB: 1024 } }]
      }
    },
    result: task
  },
  PowerOnVM_Task: { args: { _this: vm, host: ref("HostSystem", "host-9") }, result: task },
  PowerOffVM_Task: { args: { _this: vm }, result: task },
  ShutdownGuest: { args: { _this: vm }, result: undefined },
  Destroy_Task: { args: { _this: vm }, result: task },
  CreateSnapshot_Task: {
    args: { _this: vm, name: "cds", description: "a <b>", memory: false, quiesce: false },
    result: task
  },
  MarkAsTemplate: { args: { _this: vm }, result: undefined },
  Rename_Task: { args: { _this: vm, newName: "debian <old>" }, result: task },
  CancelTask: { args: { _this: task }, result: undefined },
  StartProgramInGuest: {
    args: {
      _this: ref("GuestProcessManager", "guestOperationsProcessManager"),
      vm,
      auth: login,
      spec: {
        programPath: "/bin/sh",
        arguments: "-c 'echo \"$A\" && exit 3'",
        envVariables: ["A=1", "B=two words", "C="]
      }
    },
    result: 4711
  },
  ListProcessesInGuest: {
    args: { _this: ref("GuestProcessManager", "guestOperationsProcessManager"), vm, auth: login, pids: [4711] },
    result: [
      {
        name: "sh",
        pid: 4711,
        owner: "root",
        cmdLine: '"/bin/sh" -c env',
        startTime: "2026-01-02T03:04:05Z",
        endTime: "2026-01-02T03:04:06Z",
        exitCode: 0
      }
    ]
  },
  InitiateFileTransferFromGuest: {
    args: {
      _this: ref("GuestFileManager", "guestOperationsFileManager"),
      vm,
      auth: login,
      guestFilePath: "/tmp/worker.log"
    },
    result: {
      attributes: { _type: "GuestPosixFileAttributes", ownerId: 0, groupId: 0, permissions: 420 },
      size: 12,
      url: "https://*:443/guestFile?id=3&token=52"
    }
  }
}
