// Work that everything else on the host comes before.
#pragma once

namespace sealift::base {

/// From now on the calling thread, not its process, gets what others leave: nice 10,
/// and of the disks what nobody else asks for (idle class; schedulers without classes
/// go by turn). Where the system refuses it changes nothing.
void give_way_to_others();

}  // namespace sealift::base
